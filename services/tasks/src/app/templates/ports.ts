import type { templateRoutes } from '@taskwire/contracts';
import type { TemplateTasks } from '../../domain/templates/template.ts';
import type { LinkStore } from '../links/ports.ts';
import type { TaskStore } from '../ports.ts';
import type { ProjectStore } from '../projects/ports.ts';
import type { SavedStore } from '../saved/ports.ts';
import type { UserLimit } from '../user-limit.ts';

export type TemplateSchema = (typeof templateRoutes.getTaskTemplate.responses)[200];

export type TemplateContent = TemplateTasks & { name: string; shared: boolean };

export type TemplatePorts = {
  tasks: Pick<TaskStore, 'once' | 'transaction' | 'insertTask'>;
  projects: Pick<ProjectStore, 'find'>;
  links: Pick<LinkStore, 'lockGraph' | 'markLinked' | 'addDependency'>;
  templates: SavedStore<TemplateContent, TemplateSchema>;
  creations: UserLimit;
};

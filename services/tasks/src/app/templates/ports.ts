import type { JsonText, templateRoutes } from '@taskwire/contracts';
import type { Page, Place, Tx } from '@taskwire/postgres';
import type { TemplateTasks } from '../../domain/templates/template.ts';
import type { LinkStore } from '../links/ports.ts';
import type { Document, TaskStore } from '../ports.ts';
import type { UserLimit } from '../user-limit.ts';

export type TemplateSchema = (typeof templateRoutes.getTaskTemplate.responses)[200];
export type TemplateDocument = Document<TemplateSchema>;

export type TemplateContent = TemplateTasks & { name: string; shared: boolean };

export type Template = TemplateContent & { id: string; creatorId: string; version: number };

export type TemplateStore = {
  /** Undefined unless the reader created the template, or it is shared. */
  read(id: string, readerId: string): Promise<TemplateDocument | undefined>;
  /** The content of such a template. */
  find(id: string, readerId: string): Promise<Template | undefined>;
  /** The reader's own and the shared ones, newest first. */
  list(readerId: string, place: Place): Promise<Page<JsonText<TemplateSchema>>>;
  count(tx: Tx, creatorId: string): Promise<number>;
  lock(tx: Tx, id: string): Promise<Template | undefined>;
  insert(tx: Tx, creatorId: string, content: TemplateContent): Promise<TemplateDocument>;
  /** Stores the content as a new version. */
  update(tx: Tx, id: string, content: TemplateContent): Promise<TemplateDocument>;
  remove(tx: Tx, id: string): Promise<void>;
};

export type TemplatePorts = {
  tasks: Pick<TaskStore, 'once' | 'transaction' | 'insertTask'>;
  links: Pick<LinkStore, 'lockGraph' | 'markLinked' | 'addDependency'>;
  templates: TemplateStore;
  creations: UserLimit;
};

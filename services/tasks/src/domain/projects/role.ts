/** The role of a member. Viewers read; contributors also write and carry out tasks; leads also assign tasks and manage the project. */
export type ProjectRole = 'lead' | 'contributor' | 'viewer';

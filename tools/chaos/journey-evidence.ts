/** A journey as the public API shows it. */
export type JourneyOfTask = {
  taskId: string;
  events: {
    message_id: string;
    event: string;
    comment_id: string | null;
    request_id: string | null;
    state: string;
    requested_at: string | null;
    created_at: string;
    published_at: string | null;
    confirmed_at: string | null;
  }[];
  messages: {
    message_id: string;
    event: string;
    state: string;
    created_at: string | null;
    published_at: string | null;
    consumed_at: string;
    notifications: {
      id: string;
      planned_at: string;
      deliveries: {
        channel: string;
        attempts: {
          started_at: string;
          handed_over_at: string | null;
          ended_at: string | null;
          outcome: string | null;
        }[];
      }[];
    }[];
  }[];
};

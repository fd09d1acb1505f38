-- Since when a message to an approver is being handed to the mail server, while it is.
alter table approvals add column sending_since integer;

-- How many runs of a job in a row came to no end: their process died over them.
alter table jobs add column lost integer not null default 0;

-- Domains that came to nothing are removed in time.
create index prevalidations_ended on prevalidations (modified_at) where state in ('dropped', 'expired');
create index authorizations_of_prevalidation on authorizations (prevalidation_id)
    where prevalidation_id is not null;

-- Jobs wait in queues that are served apart, so that slow ones hold up none of another kind: 0 work, 1 mail, 2 checks
-- of domain control, 3 such checks of servers that were slow before. All but the first are served in turn: an owner, a
-- reseller's id or 0, after the other.
alter table jobs add column queue bigint not null default 0;
alter table jobs add column owner bigint not null default 0;
-- The process that works on the job and renews its lease, while one does.
alter table jobs add column holder bigint;

update jobs set queue = 2,
    owner = coalesce((select i.reseller_id from issuances i where i.id = jobs.subject), 0)
    where kind = 'poll_dcv';
update jobs set queue = 1 where kind in ('mail_approvers', 'mail_notice', 'mail_password');

drop index jobs_due;
create index jobs_due on jobs (queue, run_at) where parked_at is null;
create index jobs_in_turn on jobs (queue, owner, run_at) where parked_at is null and queue > 0;

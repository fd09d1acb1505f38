-- Who signed in and who was turned away, secrets of the platform's own, and how old things are found.

-- A line counts what is alike within an hour or, for refusals, a minute.
create table access_trail (
    period integer not null,
    outcome text not null,
    username text not null,
    address text not null,
    reseller_id integer,
    times integer not null,
    last_at integer not null,
    primary key (period, outcome, username, address)
) strict;

create table credential_uses (
    username text primary key,
    used_at integer not null,
    address text not null
) strict;

create table secrets (
    name text primary key,
    sealed blob not null,
    created_at integer not null
) strict;

-- Each posting is corrected once at most.
alter table ledger_entries add column corrects integer;
create unique index ledger_one_correction on ledger_entries (corrects) where corrects is not null and account = 'reseller';

create index idempotency_by_age on idempotency (created_at);
create index approvals_by_end on approvals (expires_at);
create index observations_failed_by_age on observations (at) where outcome <> 'proved';
create index observations_proved_by_age on observations (at) where outcome = 'proved';
create index notices_by_age on notices (created_at);

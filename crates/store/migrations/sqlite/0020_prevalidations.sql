-- Domains that are proved ahead of any order. Looks and approvals are of a run: an issuance or one of these; their
-- ids come from one sequence.
create table prevalidations (
    id integer primary key,
    reseller_id integer not null references resellers (id),
    domain text not null,
    method text not null,
    controls text not null,
    looks integer not null,
    looked_at integer,
    validate_by integer not null,
    state text not null,
    created_at integer not null,
    modified_at integer not null,
    version integer not null
) strict;
create index prevalidations_of_reseller on prevalidations (reseller_id, id);
create unique index prevalidations_of_domain on prevalidations (reseller_id, domain) where state <> 'dropped';

-- The domain that a proof was obtained for ahead of any order, and whether such proofs serve an order.
alter table authorizations add column prevalidation_id integer;
create index authorizations_ahead on authorizations (reseller_id, base_domain, obtained_at)
    where prevalidation_id is not null;
alter table orders add column use_prevalidated integer not null default 0;

-- Their runs need not be issuances any more.
create table approvals_of_runs (
    token_hash blob primary key,
    issuance_id integer not null,
    sealed_token blob not null,
    name text not null,
    domain text not null,
    address text not null,
    message_id text not null,
    created_at integer not null,
    expires_at integer not null,
    sent_at integer,
    approved_at integer,
    names text,
    send_from integer
) strict;
insert into approvals_of_runs (token_hash, issuance_id, sealed_token, name, domain, address, message_id, created_at,
        expires_at, sent_at, approved_at, names, send_from)
    select token_hash, issuance_id, sealed_token, name, domain, address, message_id, created_at, expires_at, sent_at,
        approved_at, names, send_from
    from approvals;
drop table approvals;
alter table approvals_of_runs rename to approvals;
create index approvals_of_issuance on approvals (issuance_id);
create index approvals_of_address on approvals (address, created_at);
create index approvals_by_end on approvals (expires_at);

create table observations_of_runs (
    id integer primary key,
    issuance_id integer not null,
    name text not null,
    method text not null,
    at integer not null,
    asked text not null,
    of_whom text not null,
    found text not null,
    outcome text not null,
    advice text not null,
    proved_domain text
) strict;
insert into observations_of_runs (id, issuance_id, name, method, at, asked, of_whom, found, outcome, advice,
        proved_domain)
    select id, issuance_id, name, method, at, asked, of_whom, found, outcome, advice, proved_domain from observations;
drop table observations;
alter table observations_of_runs rename to observations;
create index observations_of_name on observations (issuance_id, name, id);
create index observations_failed_by_age on observations (at) where outcome <> 'proved';
create index observations_proved_by_age on observations (at) where outcome = 'proved';

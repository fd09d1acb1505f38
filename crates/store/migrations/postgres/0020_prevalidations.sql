-- Domains that are proved ahead of any order. Looks and approvals are of a run: an issuance or one of these; their
-- ids come from one sequence.
create table prevalidations (
    id bigint primary key,
    reseller_id bigint not null references resellers (id),
    domain text not null,
    method text not null,
    controls text not null,
    looks bigint not null,
    looked_at bigint,
    validate_by bigint not null,
    state text not null,
    created_at bigint not null,
    modified_at bigint not null,
    version bigint not null
);
create index prevalidations_of_reseller on prevalidations (reseller_id, id);
create unique index prevalidations_of_domain on prevalidations (reseller_id, domain) where state <> 'dropped';

-- The domain that a proof was obtained for ahead of any order, and whether such proofs serve an order.
alter table authorizations add column prevalidation_id bigint;
create index authorizations_ahead on authorizations (reseller_id, base_domain, obtained_at)
    where prevalidation_id is not null;
alter table orders add column use_prevalidated bigint not null default 0;

-- Their runs need not be issuances any more.
alter table approvals drop constraint approvals_issuance_id_fkey;
alter table observations drop constraint observations_issuance_id_fkey;

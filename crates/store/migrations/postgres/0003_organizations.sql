-- Organizations and their vetting.

-- identity is the SHA-256 of what two descriptions of one organization have in common; name_folded is its
-- name as searches compare it.
create table organizations (
    id bigint primary key,
    reseller_id bigint not null references resellers (id),
    identity bytea not null,
    name_folded text not null,
    country text not null,
    details text not null,
    technical_id bigint,
    edition bigint not null,
    created_at bigint not null,
    modified_at bigint not null,
    version bigint not null,
    unique (reseller_id, identity)
);
create index organizations_of_reseller on organizations (reseller_id, id);

-- What was to be vetted, as it was then.
create table organization_editions (
    organization_id bigint not null references organizations (id),
    edition bigint not null,
    facts text not null,
    created_at bigint not null,
    primary key (organization_id, edition)
);

-- The vetting of an edition. decided_by, evidence_from and registration are of an approval, reason of a
-- rejection.
create table vetting_cases (
    id bigint primary key,
    organization_id bigint not null,
    reseller_id bigint not null,
    edition bigint not null,
    kind text not null,
    state text not null,
    opened_at bigint not null,
    decided_at bigint,
    decided_by text,
    evidence_from bigint,
    registration text,
    reason text,
    version bigint not null,
    foreign key (organization_id, edition) references organization_editions (organization_id, edition)
);
create index vetting_cases_of_organization on vetting_cases (organization_id, id);
-- Whoever asks twice at once, there is one case to work on.
create unique index vetting_one_open_case on vetting_cases (organization_id, edition, kind)
    where state = 'open';

-- What was found, by whom; append-only.
create table vetting_evidence (
    id bigint primary key,
    case_id bigint not null references vetting_cases (id),
    item text not null,
    source text not null,
    reference text,
    text text,
    registration text,
    collected_by text not null,
    obtained_at bigint not null,
    recorded_at bigint not null,
    file_name text,
    file_size bigint,
    file_sha256 bytea,
    file bytea
);
create index vetting_evidence_of_case on vetting_evidence (case_id, id);

-- Who did what when; append-only.
create table organization_events (
    id bigint primary key,
    organization_id bigint not null references organizations (id),
    case_id bigint,
    at bigint not null,
    actor text not null,
    operator text,
    kind text not null,
    detail text
);
create index organization_events_of_organization on organization_events (organization_id, id);

-- How thoroughly an order's organization is vetted.
alter table orders add column vetting_kind text;
create index orders_of_organization on orders (organization_id) where organization_id is not null;

insert into sequences (name, next) values ('organization', 1);

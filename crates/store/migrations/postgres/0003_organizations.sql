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

insert into sequences (name, next) values ('organization', 1);

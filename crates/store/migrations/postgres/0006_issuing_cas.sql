-- Issuing CAs that follow each other. The first stands in authorities, beside the root; this keeps those after
-- it. Their numbers grow by one, so that of two processes that make the next one, one fails.
create table issuing_cas (
    number bigint primary key check (number >= 2),
    issuer text not null unique,
    certificate bytea not null,
    key bytea not null,
    created_at bigint not null
);

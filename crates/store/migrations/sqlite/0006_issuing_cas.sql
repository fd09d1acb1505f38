-- Issuing CAs that follow each other. The first stands in authorities, beside the root; this keeps those after
-- it. Their numbers grow by one, so that of two processes that make the next one, one fails.
create table issuing_cas (
    number integer primary key check (number >= 2),
    issuer text not null unique,
    certificate blob not null,
    key blob not null,
    created_at integer not null
) strict;

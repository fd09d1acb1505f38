-- Prices a reseller has of its own, in the place of the catalogue's. Rows are only ever added: of those whose
-- time has come, the one from the latest date counts. One without amounts gives way to the catalogue again.
create table own_prices (
    id bigint primary key,
    reseller_id bigint not null references resellers (id),
    product_key text not null,
    term_years bigint not null,
    currency text not null,
    base bigint check (base >= 0),
    name bigint check (name >= 0),
    wildcard bigint check (wildcard >= 0),
    valid_from bigint not null,
    created_at bigint not null,
    check ((base is null) = (name is null) and (base is null) = (wildcard is null))
);
create index own_prices_of_reseller on own_prices (reseller_id, product_key);

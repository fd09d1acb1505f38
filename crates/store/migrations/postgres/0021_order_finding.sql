-- Orders found by the end of their certificate, by any of their names, and by their administrator.

-- The end of the certificate in force, as its own row has it.
alter table orders add column certificate_expires_at bigint;
update orders set certificate_expires_at =
    (select not_after from certificates where certificates.id = orders.certificate_id)
    where certificate_id is not null;
create index orders_by_certificate_end on orders (reseller_id, certificate_expires_at)
    where certificate_expires_at is not null;

-- The further names that an order has or has had, beside its common name. An order is asked which it has.
create table order_names (
    reseller_id bigint not null,
    ordinal bigint not null,
    name text not null,
    primary key (reseller_id, ordinal, name)
);
insert into order_names (reseller_id, ordinal, name)
    select distinct o.reseller_id, o.ordinal, each.value from orders o, jsonb_array_elements_text(cast(o.names as jsonb)) as each (value)
    where each.value <> o.common_name;
create index order_names_by_name on order_names (reseller_id, name, ordinal);

create index orders_by_administrator on orders (reseller_id, administrator_id, ordinal);

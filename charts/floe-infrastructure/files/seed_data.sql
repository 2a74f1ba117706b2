-- The initial datasets. Later changes of these rows are kept.
insert into floe.dataset (name, owner) values
    ('shop.orders', 'sales'),
    ('shop.customers', 'sales'),
    ('web.visits', 'marketing')
on conflict (name) do nothing;

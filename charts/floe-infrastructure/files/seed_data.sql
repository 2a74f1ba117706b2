-- The datasets that every installation starts with. What somebody changed since stays as it is.
insert into floe.dataset (name, owner) values
    ('shop.orders', 'sales'),
    ('shop.customers', 'sales'),
    ('web.visits', 'marketing')
on conflict (name) do nothing;

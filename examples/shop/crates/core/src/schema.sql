create table if not exists goods (
    id integer primary key,
    name text not null,
    note text not null,
    price integer not null,
    hue integer not null
);

create table if not exists orders (
    id integer generated always as identity primary key,
    good integer not null references goods,
    state text not null default 'open',
    taken timestamptz
);

insert into goods (id, name, note, price, hue) values
    (1, 'Morning Mist', 'Green tea from a steep slope, first picking', 1250, 145),
    (2, 'Harbour Black', 'Strong, malty, made for milk and bad weather', 890, 18),
    (3, 'Copper Rooibos', 'Sweet and red, no caffeine', 760, 38),
    (4, 'Winter Berries', 'Hibiscus, rose hip, a handful of elderberries', 680, 340),
    (5, 'Blue Chamomile', 'Flowers only, for the last hour of the day', 720, 215),
    (6, 'White Needle', 'Silver buds, light as steam', 1980, 265)
on conflict do nothing;

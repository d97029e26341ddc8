-- Databases of the first versions got the table of the shop here; today the shop makes it itself (examples/shop/orders.ts).
select;

-- A job's time is a time: Postgres before 17 cannot subtract an infinite one, so that a single such row would fail every statement that claims it together
-- with others. Rows of before are not looked at; each is checked when it changes.
alter table warren.jobs add constraint jobs_run_at_is_finite check (isfinite(run_at)) not valid;

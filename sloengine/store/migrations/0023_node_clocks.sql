-- Gateway time minus the device's clock at sending, where the device says it: the clock offset plus the transport, whatever the age of
-- the data that was sent. Infinite where it doesn't say.
ALTER TABLE node_minutes ADD COLUMN IF NOT EXISTS ClockMin SimpleAggregateFunction(min, Float64) DEFAULT inf

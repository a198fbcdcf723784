-- Clocks that are, or were, off: episodes that may still matter to what the raw tables hold.
SELECT DeviceId, Since, Until, OffsetMs, Evidence, Revision FROM clock_offsets FINAL
WHERE Until >= {oldest:DateTime64(3, 'UTC')}
ORDER BY DeviceId, Since

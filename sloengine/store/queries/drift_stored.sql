-- What is stored of a look, as it is written (jobs/drift.py), but for the revision.
SELECT SeriesId, Verdict, N, M, Unplaced, Bins, Psi, Ks, Js, Wasserstein, Hellinger, Chi2, KsError, Effect, P, Q, Inflation, SmallestPsi, Below, Above,
    Exceeded, Cusum, CusumLooks, BaselineVersion
FROM drift_verdicts FINAL
WHERE Monitor = {monitor:String} AND WindowEnd = {end:DateTime('UTC')} AND WindowHours = {hours:UInt16}
ORDER BY SeriesId
SETTINGS do_not_merge_across_partitions_select_final = 1

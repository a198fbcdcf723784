-- What a look said of one series by name.
SELECT Verdict
FROM drift_verdicts FINAL
WHERE Monitor = {monitor:String} AND WindowEnd = {end:DateTime('UTC')} AND WindowHours = {hours:UInt16}
    AND SeriesId IN (SELECT SeriesId FROM drift_series WHERE Monitor = {monitor:String} AND Level = {level:String} AND ModelName = {model:String}
        AND (empty({versions:Array(String)}) OR ModelVersion IN {versions:Array(String)}) AND Region = {region:String} AND DeviceId = {device:String} AND Segment = {segment:String} AND Value = {value:String})

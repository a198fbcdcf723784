            SELECT ServiceName, PredictionId
            FROM prediction_places
            WHERE PredictionId IN (
-- include predictions_ids
                )
                AND Timestamp >= {lo:DateTime('UTC')} - toIntervalDay(1) - toIntervalSecond({margin:UInt32})
                AND Timestamp < {hi:DateTime('UTC')} + toIntervalSecond({margin:UInt32}) AND
-- include predictions_trusted
            GROUP BY ServiceName, PredictionId
            HAVING count() > 1

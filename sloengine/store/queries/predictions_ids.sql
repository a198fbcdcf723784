                SELECT PredictionId FROM (
                    SELECT PredictionId, GatewayId, IngestTime, Timestamp, Timestamp + toIntervalMillisecond(
-- include predictions_shift
                        ) AS T
                    FROM predictions
                )
                WHERE
-- include predictions_piece

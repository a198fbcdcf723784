    -- Included at the beginning of a fold: each prediction of some gateways once, with what is known of it now; of times [lo, hi), and where
    -- `units` names any, of these units of so many seconds: place of the gateway, seconds since lo. `many`: ids that came more than once;
    -- `own`: the records, those of `many` once per gateway and time; `copies`: where the records of `many` are; `given`: labels; `told`: all
    -- of it together.
    many AS (
-- include predictions_many
    ),
    records AS (
        SELECT *, Timestamp + toIntervalMillisecond(Shift) AS T,
-- include predictions_shift
            AS Shift
        FROM predictions
    ),
    own AS (
        SELECT ServiceName AS Service, PredictionId AS Id, GatewayId AS Gateway, T, ModelName, ModelVersion, Region, RolloutId, Wave, Hardware, DeviceId,
            Score, Label, Truth, Segments, Weight, ResourceAttributes, Shift
        FROM records
        WHERE (ServiceName, PredictionId) NOT IN many AND
-- include predictions_piece
        UNION ALL
        SELECT Service, Id, Gateway, At, P.1, P.2, P.3, P.4, P.5, P.6, P.7, P.8, P.9, P.10, P.11, P.12, P.13, P.14
        FROM (
            SELECT ServiceName AS Service, PredictionId AS Id, GatewayId AS Gateway, T AS At,
                argMin(tuple(ModelName, ModelVersion, Region, RolloutId, Wave, Hardware, DeviceId, Score, Label, Truth, Segments, Weight,
                    ResourceAttributes, Shift), tuple(IngestTime, Label, Truth, ifNull(Score, -1))) AS P
            FROM records
            WHERE (ServiceName, PredictionId) IN many AND
-- include predictions_piece
            GROUP BY Service, Id, Gateway, At
        )
    ),
    copies AS (
        -- A record of the same service and id up to a day before, whichever gateway it came through, makes a record a repeat.
        SELECT ServiceName AS Service, PredictionId AS Id, groupUniqArray(tuple(Timestamp + toIntervalMillisecond(
-- include predictions_shift
            ), GatewayId)) AS Copies
        FROM prediction_places
        WHERE (ServiceName, PredictionId) IN many AND
-- include predictions_trusted
        GROUP BY Service, Id
    ),
    given AS (
        -- The latest label by its own time holds, of several of the same time the one that came in last; delivering an old one again does
        -- not make it new. Per service that labels name; a label of none is for any.
        SELECT Id, groupArray(tuple(Service, Latest, First)) AS Labels
        FROM (
            SELECT Id, Service, max(tuple(At, Came, Truth, Source)) AS Latest, min(At) AS First
            FROM (
                SELECT PredictionId AS Id, ServiceName AS Service, toString(Truth) AS Truth, toString(Source) AS Source, min(IngestTime) AS Came,
                    labels.At + toIntervalMillisecond(
-- include predictions_shift
                    ) AS At
                FROM labels
                WHERE PredictionId IN (
-- include predictions_ids
                    ) AND
-- include predictions_trusted
                GROUP BY Id, Service, At, Truth, Source
            )
            GROUP BY Id, Service
        )
        GROUP BY Id
    ),
    told AS (
        SELECT own.Service AS Service, ModelName AS Model, ModelVersion AS Version, Region, own.Gateway AS Gateway, RolloutId AS Rollout, Wave,
            Hardware, DeviceId AS Device, Score, toString(own.Label) AS Predicted, Segments, Weight, ResourceAttributes AS Resource,
            Shift, own.T AS T, dateDiff('millisecond', own.T, {now:DateTime64(3, 'UTC')}) / 1000 AS Age,
            arrayFilter(l -> l.1 IN ('', own.Service), given.Labels) AS Labels,
            -- Of a label of this service and one of none, which are two at most, the later one.
            arrayReverseSort(arrayMap(l -> l.2, Labels))[1] AS Latest,
            -- A label beats what the record itself said, whatever the clocks of the two say.
            if(notEmpty(Labels), Latest.3, toString(own.Truth)) AS Known, Latest.4 AS Source,
            -- Until the first label: a correction does not make a label late that was in time.
            if(own.Truth != '' OR empty(Labels), 0,
                greatest(0, (arrayMin(arrayMap(l -> toUnixTimestamp64Nano(l.3), Labels)) - toUnixTimestamp64Nano(own.T)) / 1e9)) AS Lag,
            multiIf(Known = '', if(Age < {wait:Float64}, 'waiting', 'unlabelled'), Predicted = '', 'unjudged', Known = Predicted, 'correct', 'wrong') AS Verdict
        FROM own
        LEFT JOIN copies ON own.Service = copies.Service AND own.Id = copies.Id
        LEFT JOIN given ON own.Id = given.Id
        WHERE NOT arrayExists(c -> c < tuple(own.T, own.Gateway) AND c.1 >= own.T - toIntervalDay(1), copies.Copies)
    ),

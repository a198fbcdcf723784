            -- Series of every level that a row belongs to, and what they are compared with where a version is held against the others: the same
            -- place, or the same segment, of the model whatever its version.
            sipHash64({monitor:String}, 'model', ModelName) AS Model,
            sipHash64({monitor:String}, 'version', ModelName, V) AS Version,
            sipHash64({monitor:String}, 'region', ModelName, V, Region) AS Place,
            sipHash64({monitor:String}, 'device', ModelName, V, Region, DeviceId) AS Device,
            sipHash64({monitor:String}, 'place', ModelName, Region) AS Peers,
            arrayMap(s -> sipHash64({monitor:String}, 'segment', ModelName, V, s, JSONExtractString(Attributes, s)), {segments:Array(String)}) AS Segments,
            arrayMap(s -> sipHash64({monitor:String}, 'peers', ModelName, s, JSONExtractString(Attributes, s)), {segments:Array(String)}) AS SegmentPeers

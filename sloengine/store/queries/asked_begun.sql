            -- Nothing of a series lies before this, wherever its clock has moved it.
            StartTimeUnix - toIntervalSecond(if(DeviceId IN {skewed:Array(String)}, {margin:UInt32}, 0)) AS Begun

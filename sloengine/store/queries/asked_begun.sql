            -- Nothing of a series lies before this, wherever its clock has moved it.
            StartTimeUnix - toIntervalSecond(if(DeviceId IN {skewed:Array(String)}, {margin:UInt32}, 0)) AS Begun,
            -- Its points may not lie in their true order: a clock is set within a minute, and what is on its way then comes twice or late. A count that
            -- falls is no reset there, or everything since the start would count again.
            DeviceId IN {skewed:Array(String)} AS Unordered

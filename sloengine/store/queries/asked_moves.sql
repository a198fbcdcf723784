                -- Episodes of a device whose clock is, or was, off: received from and until, and milliseconds to add. Found by hash, and as text: an array of
                -- arrays would be copied for every row.
                if(DeviceId IN {skewed:Array(String)}, JSONExtract(transform(DeviceId, {skewed:Array(String)}, {moves:Array(String)}, ''),
                    'Array(Tuple(Int64, Int64, Int64))'), CAST([], 'Array(Tuple(Int64, Int64, Int64))'))

                -- Value of an asked attribute. An exclusion's mark is one too: "1" where all of its matchers hold, as evaluate/cube.py's do. The fourth
                -- part of a matcher is a pattern that is never wrong, "" where it is none.
                multiIf(startsWith(a, 'excluded:'), if(arrayExists(m -> m.1 = a AND arrayAll(c -> arrayExists(v ->
                        multiIf(c.2 = '=', v = c.3, c.2 = '!=', v != c.3, c.2 = '=~', match(v, c.4), NOT match(v, c.4)),
                        [toString(multiIf(c.1 = 'device', p.DeviceId, c.1 = 'wave', p.Own['edge.rollout.wave'], c.1 = 'hardware', p.ResourceAttributes['edge.hardware'],
                            mapContains(p.Own, c.1), p.Own[c.1], p.ResourceAttributes[c.1]))]), m.2),
                    {marks:Array(Tuple(String, Array(Tuple(String, String, String, String))))}), '1', ''),
                    mapContains(p.Own, a), p.Own[a], p.ResourceAttributes[a])

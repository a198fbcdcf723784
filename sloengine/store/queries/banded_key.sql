            toJSONString(mapFilter((k, v) -> v != '', mapFromArrays(arrayConcat(F.2, ['gt', 'le']), arrayConcat(Asked, [Gt, Le])))) AS Attributes

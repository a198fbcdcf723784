            if(arrayAll(v -> v = '', Asked), '', toJSONString(mapFilter((k, v) -> v != '', mapFromArrays(F.2, Asked)))) AS Attributes

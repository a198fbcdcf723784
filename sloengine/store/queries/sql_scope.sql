-- Names that this engine knows, for deciding what a reader may call: table functions, tables of system, functions that reach the network.
SELECT 'table function' AS Kind, lower(name) AS Name FROM system.table_functions
UNION ALL
SELECT 'system table', name FROM system.tables WHERE database = 'system'
UNION ALL
SELECT 'network function', lower(name) FROM system.functions WHERE match(name, '^(ai[A-Z]|AI[A-Z][a-z])')

"""Names of functions that Databricks SQL has, so that a FAKE warehouse refuses all others.

DuckDB, which executes for the fake, has many functions that Databricks lacks (`epoch_ms`,
`list_filter`, `unnest`, `quantile_cont`): a statement that calls one must fail here as it would
there. Written from memory, not compared with the list in Databricks' language manual
(docs.databricks.com/aws/en/sql/language-manual/sql-ref-functions-builtin-alpha): add one that is
missing after looking it up there.
"""

_NAMES = """
abs aggregate any any_value approx_count_distinct approx_percentile array array_agg
array_append array_compact array_contains array_distinct array_except array_insert
array_intersect array_join array_max array_min array_position array_prepend array_remove
array_repeat array_size array_sort array_union arrays_overlap arrays_zip assert_true avg
bigint bool_and bool_or boolean bround cardinality cast ceil ceiling char_length
character_length charindex coalesce collect_list collect_set concat concat_ws contains corr
count count_if covar_pop covar_samp cume_dist curdate current_catalog current_date
current_schema current_timestamp current_user date date_add date_diff date_format
date_from_unix_date date_part date_sub date_trunc dateadd datediff day dayofmonth dayofweek
dayofyear decimal decode dense_rank double element_at encode endswith equal_null every
exists exp explode explode_outer extract filter first first_value flatten float floor forall
format_number format_string from_json from_unixtime get get_json_object getdate greatest
grouping grouping_id hash hour identifier if iff ifnull ilike in initcap inline inline_outer
instr int is_variant_null isnan isnotnull isnull json_array_length json_object_keys
json_tuple kurtosis lag last last_day last_value lcase lead least left len length like ln
locate log log10 log1p log2 lower lpad ltrim make_date make_timestamp map map_concat
map_contains_key map_entries map_filter map_from_arrays map_from_entries map_keys map_values
map_zip_with max max_by md5 mean median min min_by minute mod mode month named_struct nanvl
negative now nth_value ntile nullif nullifzero nvl nvl2 octet_length overlay parse_json
percent_rank percentile percentile_approx percentile_cont percentile_disc pi pmod posexplode
posexplode_outer position positive pow power quarter radians raise_error rand random range
rank reduce regexp regexp_count regexp_extract regexp_extract_all regexp_instr regexp_like
regexp_replace regexp_substr repeat replace reverse right rint rlike round row_number rpad
rtrim schema_of_json schema_of_variant schema_of_variant_agg second sequence sha sha1 sha2
shiftleft shiftright shuffle sign signum size skewness slice smallint some sort_array
soundex space split split_part sqrt stack startswith std stddev stddev_pop stddev_samp
str_to_map string struct substr substring substring_index sum timestamp timestamp_micros
timestamp_millis timestamp_seconds timestampadd timestampdiff tinyint to_char to_date
to_json to_number to_timestamp to_unix_timestamp to_variant_object transform transform_keys
transform_values translate trim trunc try_add try_avg try_cast try_divide try_element_at
try_multiply try_parse_json try_subtract try_sum try_to_number try_to_timestamp
try_variant_get typeof ucase unix_date unix_micros unix_millis unix_seconds unix_timestamp
upper uuid var_pop var_samp variance variant_explode variant_explode_outer variant_get
weekday weekofyear width_bucket window xxhash64 year zeroifnull zip_with
"""
DATABRICKS_FUNCTIONS = frozenset(_NAMES.split())

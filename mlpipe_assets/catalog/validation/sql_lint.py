"""What the house rules forbid in a SQL file, each with its file and line."""

from collections.abc import Sequence

import sqlglot
from sqlglot import exp
from sqlglot.tokenizer_core import Token, TokenType

from mlpipe_assets.catalog.aggregates import versions_table
from mlpipe_assets.catalog.declarations import Catalog, FeatureView, Model
from mlpipe_assets.catalog.validation.other_entities import find_other_entities, line_of, window_parts
from mlpipe_assets.catalog.versions import parsed
from mlpipe_assets.engines.engine import DIALECT

# What DuckDB itself lists as volatile, and what it forgets there; each gives another answer tomorrow, or at once.
_VOLATILE_CALLS = frozenset(
    (
        *(
            "now",
            "today",
            "current_date",
            "current_time",
            "current_timestamp",
            "localtime",
            "localtimestamp",
        ),
        *(
            "current_localtime",
            "current_localtimestamp",
            "get_current_time",
            "get_current_timestamp",
        ),
        *(
            "transaction_timestamp",
            "statement_timestamp",
            "clock_timestamp",
            "getdate",
            "sysdate",
        ),
        *(
            "pg_postmaster_start_time",
            "random",
            "rand",
            "setseed",
            "uuid",
            "uuidv4",
            "uuidv7",
        ),
        *(
            "gen_random_uuid",
            "nextval",
            "currval",
            "setval",
            "txid_current",
            "current_transaction_id",
        ),
        *(
            "current_query",
            "current_query_id",
            "current_connection_id",
            "current_database",
            "current_schema",
        ),
        *(
            "current_schemas",
            "in_search_path",
            "current_setting",
            "getvariable",
            "getenv",
            "sleep_ms",
        ),
        *(
            "write_log",
            "stats",
            "version",
        ),
    )
)
_VOLATILE_WORDS = frozenset(("current_date", "current_time", "current_timestamp", "localtime", "localtimestamp"))
_NOT_PORTABLE_CALLS = frozenset(("generate_series", "unnest", "list_value", "read_parquet", "read_csv"))
_NOT_PORTABLE_WORDS = frozenset(("asof", "qualify"))
_RANKS = (exp.RowNumber, exp.Rank, exp.DenseRank, exp.PercentRank, exp.CumeDist, exp.Ntile, exp.Lag, exp.Lead)
_FROM_ROWS = (exp.FirstValue, exp.LastValue, exp.NthValue)


def lint_view(catalog: Catalog, view: FeatureView) -> list[str]:
    """What is wrong with the SQL of a feature view."""
    if view.is_declared or view.rows_of:  # written by us, for one entity at a time
        return []
    sql = catalog.view_sql(view)
    found = lint_sql(sql, view.sql_name, ("days", *view.inputs, *_versions(view)))
    if view.scope == "population":
        return found
    return found + find_other_entities(sql, view.sql_name, _keyed(catalog, view, view.inputs), view.entity)


def _versions(view: FeatureView) -> list[str]:
    return [versions_table(view.source)] if view.is_as_known else []


def lint_model(catalog: Catalog, model: Model) -> list[str]:
    """What is wrong with the SQL that adds the label."""
    sql = catalog.read_sql(model.sql)
    found = lint_sql(sql, model.sql, ("features", *model.inputs))
    keyed = {key: tables | {"features"} for key, tables in _keyed(catalog, model.view, model.inputs).items()}
    return found + find_other_entities(sql, model.sql, keyed, model.view.entity)


def lint_sql(sql: str, name: str, tables: Sequence[str]) -> list[str]:
    """The clock, chance, words only one engine knows, and tables that are not among the inputs.

    Rows of a table that was not handed over, a file say, would escape the windows, and every proof over them.
    """
    tree = parsed(sql, name)
    problems = [(line, text) for line, text in (*_words(sql), *_chances(tree), *_strangers(tree, tables))]
    return [f"{name}:{line}: {text}" for line, text in dict.fromkeys(sorted(problems))]


def looks_across_rows(sql: str) -> bool:
    """Whether a select ranks, numbers, limits or samples rows: then what it says of one may depend on any other."""
    return any(parsed(sql).find_all(exp.Window, exp.Qualify, exp.Limit, exp.Fetch, exp.TableSample))


def _keyed(catalog: Catalog, view: FeatureView, inputs: Sequence[str]) -> dict[str, frozenset[str]]:
    """By join key those of the inputs whose rows carry it."""
    names = {name: catalog.source(name).contract.to_schema().columns for name in inputs}
    return {key: frozenset(name for name in inputs if key in names[name]) for key in view.entity.join_keys}


def _words(sql: str) -> list[tuple[int, str]]:
    """Calls and words that are forbidden wherever they stand; comments, texts and columns do not count."""
    tokens = sqlglot.tokenize(sql, dialect=DIALECT)
    found: list[tuple[int, str]] = []
    for i, token in enumerate(tokens):
        word = token.text.lower()
        if token.token_type in (TokenType.STRING, TokenType.NUMBER):
            continue
        called = i + 1 < len(tokens) and tokens[i + 1].token_type == TokenType.L_PAREN
        bare = token.token_type != TokenType.IDENTIFIER and not (i and tokens[i - 1].token_type == TokenType.DOT)
        if (called and word in _VOLATILE_CALLS) or (bare and word in _VOLATILE_WORDS):
            found.append(
                (token.line, f"calls {word}; time comes from the partition or a parameter, and nothing from chance")
            )
        elif called and word == "age" and not _has_second_argument(tokens, i + 1):
            found.append((token.line, "calls age with one argument, which reads the clock; give it both times"))
        elif (called and word in _NOT_PORTABLE_CALLS) or (bare and word in _NOT_PORTABLE_WORDS):
            found.append((token.line, f"uses {word}, which not every engine reads alike"))
        elif bare and (word == "tablesample" or (word == "sample" and i and tokens[i - 1].text.lower() == "using")):
            found.append((token.line, "takes a sample, which is another one each time"))
    return found


def _has_second_argument(tokens: Sequence[Token], opened: int) -> bool:
    depth = 0
    for token in tokens[opened:]:
        depth += (token.token_type == TokenType.L_PAREN) - (token.token_type == TokenType.R_PAREN)
        if depth == 0:
            return False
        if depth == 1 and token.token_type == TokenType.COMMA:
            return True
    return False


def _chances(tree: exp.Expr) -> list[tuple[int, str]]:
    """Where the order of rows decides, and nobody has said which order."""
    found: list[tuple[int, str]] = []
    for window in tree.find_all(exp.Window):
        ranks = isinstance(window.this, (*_RANKS, *_FROM_ROWS)) or isinstance(
            getattr(window.this, "this", None), _FROM_ROWS
        )
        if ranks and not any(part.args.get("order") for part in window_parts(window)):
            found.append((line_of(window), f"{window.this.sql_name().lower()} has no order by, so chance decides"))
    unordered = [q for q in tree.find_all(exp.Query) if q.args.get("limit") and not q.args.get("order")]
    return found + [(line_of(query), "limit has no order by, so chance decides") for query in unordered]


def _strangers(tree: exp.Expr, tables: Sequence[str]) -> list[tuple[int, str]]:
    known = {*tables, *(cte.alias for cte in tree.find_all(exp.CTE))}
    return [
        (line_of(table), f"reads {table.sql(dialect=DIALECT)}, which is not among its inputs ({', '.join(tables)})")
        for table in tree.find_all(exp.Table)
        if table.name not in known or table.db
    ]

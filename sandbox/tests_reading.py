"""Reading the text of a problem's tests, for what its programs must be graded with."""

import ast
import builtins
import warnings
from collections.abc import Iterable, Iterator

WATCHING_MODULES = frozenset(
    {
        "tracemalloc",
        "gc",
        "weakref",
        "inspect",
        "dis",
        "threading",
        "_thread",
        "concurrent",
        "multiprocessing",
        "signal",
    }
    | {"warnings", "logging", "mock", "resource", "faulthandler", "traceback", "linecache", "importlib", "subprocess"}
    | {"builtins", "platform", "locale", "contextvars", "psutil", "timeit", "cProfile", "profile", "trace"}
)
"""Modules by which tests watch or change the interpreter that they run in."""

WATCHING_NAMES = frozenset(
    {"setrecursionlimit", "getrecursionlimit", "settrace", "setprofile", "gettrace", "stdout", "stderr", "stdin"}
    | {"redirect_stdout", "redirect_stderr", "capsys", "getrefcount", "modules", "_getframe", "_current_frames"}
    | {"environ", "getenv", "putenv", "getcwd", "chdir", "listdir", "scandir", "umask", "walk", "glob", "getsource"}
    | {"patch", "monkeypatch", "__globals__", "__code__", "__closure__", "__builtins__", "displayhook", "excepthook"}
    | {
        "assertLogs",
        "assertWarns",
        "active_count",
        "getallocatedblocks",
        "intern",
        "argv",
        "process_time",
        "getcontext",
    }
)
"""Names by which they do so otherwise."""

_PLAIN_METHODS = frozenset(
    name
    for kind in (list, dict, set, str, int, float, bytes, tuple, frozenset, complex, bytearray, range, object)
    for name in dir(kind)
)
_PURE_CALLS = frozenset(
    {"abs", "all", "any", "bool", "bytes", "chr", "complex", "dict", "divmod", "enumerate", "float", "frozenset"}
    | {
        "hash",
        "hex",
        "int",
        "isinstance",
        "len",
        "list",
        "max",
        "min",
        "next",
        "ord",
        "pow",
        "range",
        "repr",
        "reversed",
    }
    | {"round", "set", "sorted", "str", "sum", "tuple", "zip", "bin", "isclose", "Counter", "type"}
)


def parse(source: str) -> ast.Module | None:
    """The syntax tree; None where the text does not parse."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd escapes in other people's strings
            return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


class TextOfTests:
    """The tests of one problem, read."""

    def __init__(self, tests: str, setup: str, entry_point: str | None) -> None:
        """Tests that do not compile say nothing."""
        self._setup = parse(setup) or ast.Module([], [])
        self._tree = parse(tests) or ast.Module([], [])
        self._text = setup + tests
        self._entries = {entry_point, "candidate"} | _check_parameters(self._tree)
        self._entry_point = entry_point
        self._parents = {child: node for node in ast.walk(self._tree) for child in ast.iter_child_nodes(node)}

    @property
    def evaluates(self) -> bool:
        """Return whether the tests may evaluate an answer."""
        return any(word in self._text for word in ("eval", "exec", "compile", "pickle", "marshal", "dill"))

    @property
    def calls_nothing(self) -> bool:
        """Return whether no run of the tests could ask anything of a program."""
        return not any(_runs_by_itself(node) for node in self._tree.body)

    @property
    def watches(self) -> str:
        """By what the tests watch or change their own interpreter; "" where they do not."""
        for node in (*ast.walk(self._setup), *ast.walk(self._tree)):
            for name in _names_of(node):
                if name.partition(".")[0] in WATCHING_MODULES or name in WATCHING_NAMES:
                    return name
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("/proc/"):
                return "/proc"
        return ""

    @property
    def sees_copies(self) -> bool:
        """Return whether the tests could tell arguments and results from copies of them.

        They cannot where every call gets values that are made on the spot, and every result is used up on the spot.
        """
        for node in ast.walk(self._tree):
            if isinstance(node, ast.Name) and node.id in self._entries and isinstance(node.ctx, ast.Load):
                parent = self._parents.get(node)
                if not (isinstance(parent, ast.Call) and parent.func is node):
                    return not _is_check_call(parent)
                arguments = [*parent.args, *(keyword.value for keyword in parent.keywords)]
                if not all(self._is_fresh(argument) for argument in arguments) or not self._is_used_up(parent):
                    return True
        return False

    def _is_fresh(self, node: ast.expr) -> bool:
        for inner in ast.walk(node):
            if isinstance(inner, ast.Lambda | ast.comprehension | ast.Attribute | ast.NamedExpr | ast.Await):
                return False
            if isinstance(inner, ast.Name) and inner.id not in _PURE_CALLS | self._entries:
                return False
        return True

    def _is_used_up(self, node: ast.AST) -> bool:
        parent = self._parents.get(node)
        if isinstance(parent, ast.Compare):
            return all(not isinstance(op, ast.Is | ast.IsNot) for op in parent.ops) or any(
                isinstance(side, ast.Constant) for side in (parent.left, *parent.comparators)
            )
        if isinstance(parent, ast.Call):
            function = parent.func
            name = function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")
            return node is not function and name in _PURE_CALLS | self._entries
        if isinstance(parent, ast.Subscript | ast.UnaryOp | ast.BinOp | ast.BoolOp):
            return isinstance(getattr(parent, "ctx", ast.Load()), ast.Load) and self._is_used_up(parent)
        return isinstance(parent, ast.Assert | ast.Expr)

    @property
    def drops_results(self) -> bool:
        """Return whether the tests drop what the program returns, or want None: then they look at its arguments."""
        return any(
            isinstance(parent, ast.Expr)
            or (isinstance(parent, ast.Compare) and any(_is_none(side) for side in parent.comparators))
            for call in self._calls()
            if (parent := self._parents.get(call)) is not None
            and not any(isinstance(above, ast.Try | ast.With) for above in self._above(call))
        )

    @property
    def asks_objects(self) -> bool:
        """Return whether the tests ask results for what no plain data has."""
        tainted = self._tainted()
        return any(
            isinstance(node, ast.Attribute)
            and node.attr not in _PLAIN_METHODS
            and any(isinstance(inner, ast.Name) and inner.id in tainted for inner in ast.walk(node.value))
            for node in ast.walk(self._tree)
        )

    def under_test(self, reference: str) -> tuple[str, ...]:
        """Functions and classes of the reference that the tests test beside the entry point.

        An assertion that asks nothing of the program would hold for every program. So the functions of the reference
        that it does ask are asked of the program.
        """
        defined = {name for name in _definitions(parse(reference)) if name != self._entry_point}
        if not defined & {node.id for node in ast.walk(self._tree) if isinstance(node, ast.Name)}:
            return ()
        tainted, sources = self._tainted(), self._sources(defined)
        names: set[str] = set()
        for node in ast.walk(self._tree):
            if isinstance(node, ast.Assert) or _is_assertion_call(node):
                used = {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}
                if not used & tainted:
                    names |= (used & defined).union(*(sources.get(name, set()) for name in used))
        return tuple(sorted(names))

    def free_names(self) -> set[str]:
        """Names that the tests use, and that neither they nor Python bind at the top."""
        bound = {name for tree in (self._setup, self._tree) for name in _bound_at_top(tree)} | set(dir(builtins))
        used = {
            node.id
            for tree in (self._setup, self._tree)
            for node in ast.walk(tree)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
        }
        return used - bound - {self._entry_point}

    def _calls(self) -> Iterator[ast.Call]:
        for node in ast.walk(self._tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in self._entries:
                yield node

    def _above(self, node: ast.AST) -> Iterator[ast.AST]:
        while (parent := self._parents.get(node)) is not None:
            yield parent
            node = parent

    def _tainted(self) -> set[str]:
        """Names whose values may come from the program."""
        return set(_spread(self._tree, {name: {"program"} for name in self._entries if name}))

    def _sources(self, defined: set[str]) -> dict[str, set[str]]:
        """For each name, the functions of the reference that its value may come from."""
        return _spread(self._tree, {name: {name} for name in defined})


def _spread(tree: ast.Module, sources: dict[str, set[str]]) -> dict[str, set[str]]:
    """Follow values from name to name until nothing is new."""
    steps = [step for node in ast.walk(tree) if (step := _step(node)) is not None]
    while True:
        before = sum(map(len, sources.values()))
        for targets, used in steps:
            origin: set[str] = set().union(*(sources.get(name, set()) for name in used))
            for target in targets if origin else ():
                sources[target] = sources.get(target, set()) | origin
        if sum(map(len, sources.values())) == before:
            return sources


def _step(node: ast.AST) -> tuple[set[str], set[str]] | None:
    """The names that a node binds, and those that their values come from."""
    if isinstance(node, ast.Assign):
        return _names_in(node.targets), _names_in([node.value])
    if isinstance(node, ast.AnnAssign | ast.AugAssign | ast.NamedExpr) and node.value is not None:
        return _names_in([node.target]), _names_in([node.value])
    if isinstance(node, ast.For | ast.AsyncFor | ast.comprehension):
        return _names_in([node.target]), _names_in([node.iter])
    if isinstance(node, ast.withitem) and node.optional_vars is not None:
        return _names_in([node.optional_vars]), _names_in([node.context_expr])
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}, _names_in(node.body)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return _names_in([node.func.value]), _names_in(node.args)  # xs.append(f(1))
    return None


def _names_in(nodes: Iterable[ast.AST]) -> set[str]:
    return {inner.id for node in nodes for inner in ast.walk(node) if isinstance(inner, ast.Name)}


def _names_of(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield node.module or ""
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.Attribute):
        yield node.attr
    elif isinstance(node, ast.Name):
        yield node.id


def _definitions(tree: ast.Module | None) -> Iterator[str]:
    for node in tree.body if tree else ():
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name


def _bound_at_top(tree: ast.Module) -> Iterator[str]:
    waiting: list[ast.AST] = list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
            continue
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from ((alias.asname or alias.name).partition(".")[0] for alias in node.names)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        waiting += ast.iter_child_nodes(node)


def _runs_by_itself(node: ast.stmt) -> bool:
    """Return whether a statement of a module runs something, or is what a runner of tests would run."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return node.name == "check" or node.name.startswith("test")
    if isinstance(node, ast.ClassDef):
        bases = " ".join(map(ast.unparse, node.bases))
        methods = [inner.name for inner in node.body if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef)]
        is_case = node.name.startswith("Test") or "TestCase" in bases
        return is_case and (bool(bases) or any(name.startswith("test") for name in methods))
    if isinstance(node, ast.If) and any(isinstance(n, ast.Name) and n.id == "__name__" for n in ast.walk(node.test)):
        return False
    return any(isinstance(inner, ast.Assert | ast.Call | ast.Raise | ast.Compare) for inner in ast.walk(node))


def _check_parameters(tree: ast.Module) -> set[str | None]:
    return {
        argument.arg
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name == "check"
        for argument in node.args.args[:1]
    }


def _is_check_call(node: ast.AST | None) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "check"


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _is_assertion_call(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr.startswith("assert")

"""Every construct that a workflow may contain an `await` in: random programs must have been suspended in each."""

CONSTRUCTS = frozenset(
    """
assert
assign
assign to attribute or item
async comprehension
async for
async for header
async for/else
async with
async with item
augmented assignment
annotated assignment
binary operation
boolean expression
break
call
call arguments
call of a method
call of a nested function
call of a unit
chained comparison
comparison
comprehension
comprehension condition
conditional expression
continue
del
dict comprehension
display
elif
elif test
else
except
except as
except*
expression statement
f-string
finally
for
for iterable
for/else
function
generator comprehension
global
handler type that awaits
if
if test
import
lambda
list comprehension
match
match guard
match subject
method
method call
nested format spec
nested function
noisy value
raise
raise from
recursion
return
set comprehension
several targets
slice
slice target
subscript
super and private names
target that awaits
try
try of except*
try/else
unary operation
unpacking
unstarted call in a local
walrus
while
while True
while test
while/else
with
with item
""".strip().splitlines()
)

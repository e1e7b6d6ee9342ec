" SPDX-License-Identifier: Apache-2.0
" A level for each bracket that the lines above leave open.
if exists('b:did_indent')
  finish
endif
let b:did_indent = 1
setlocal indentexpr=PsynePsyIndent() indentkeys=0{,0},0),0],!^F,o,O nosmartindent
let b:undo_indent = 'setlocal indentexpr< indentkeys< smartindent<'

if exists('*PsynePsyIndent')
  finish
endif

function! PsynePsyIndent() abort
  let above = prevnonblank(v:lnum - 1)
  if above == 0
    return 0
  endif
  let line = substitute(getline(above), '"\%(\\.\|[^"\\]\)*"\|//.*$\|/\*.\{-}\*/', '', 'g')
  let closers = matchstr(line, '^\s*\zs[])}]\+')
  let depth = len(substitute(line, '[^[({]', '', 'g')) - len(substitute(line, '[^])}]', '', 'g')) + len(closers)
  let own = len(matchstr(getline(v:lnum), '^\s*\zs[])}]\+'))
  return indent(above) + shiftwidth() * ((depth > 0) - (depth < 0) - (own > 0))
endfunction

" SPDX-License-Identifier: Apache-2.0
" Highlighting of message schemas (.psy).
if exists('b:current_syntax')
  finish
endif
syntax case match

syntax keyword psyItem namespace const message import
" Words in their place only: fields may have their names.
syntax match psyItem /\<\%(enum\|flags\|struct\)\ze\s\+\h/
syntax match psyItem /\<union\ze\s*{/
syntax keyword psyBoolean true false
syntax keyword psyType bool i8 i16 i32 i64 u8 u16 u32 u64 f16 bf16 f32 f64 string variant
syntax match psyAttribute /@\%(key\|since\|deprecated\|retired\|align\|topic\)\>/
syntax match psyDeclared /\%(\<\%(message\|const\|namespace\|enum\|flags\|struct\)\s\+\)\@<=\h[A-Za-z0-9_.]*/
syntax match psyField /\<\h\w*\ze\s*:/

syntax match psyNumber /\<\d[0-9_]*\>/
syntax match psyNumber /\<0[xX][0-9A-Fa-f_]\+\>/
syntax match psyNumber /\<0[bB][01_]\+\>/
syntax match psyFloat /\<\d[0-9_]*\.\d[0-9_]*\%([eE][+-]\?\d\+\)\?\>/
syntax match psyFloat /\<\d[0-9_]*[eE][+-]\?\d\+\>/
syntax region psyString start=/"/ skip=/\\./ end=/"/ oneline
syntax match psyComment /\/\/.*$/ contains=psyTodo,@Spell
syntax match psyDoc /\/\/\/\%([^/].*\)\?$/ contains=psyTodo,@Spell
syntax region psyComment start=/\/\*/ end=/\*\// contains=psyTodo,@Spell
syntax keyword psyTodo contained TODO FIXME XXX

highlight default link psyItem Keyword
highlight default link psyBoolean Boolean
highlight default link psyType Type
highlight default link psyAttribute PreProc
highlight default link psyDeclared Identifier
highlight default link psyField Label
highlight default link psyNumber Number
highlight default link psyFloat Float
highlight default link psyString String
highlight default link psyComment Comment
highlight default link psyDoc SpecialComment
highlight default link psyTodo Todo

let b:current_syntax = 'psy'

" SPDX-License-Identifier: Apache-2.0
" Highlighting of Harmonics programs (.hrm).
if exists('b:current_syntax')
  finish
endif
syntax case match

syntax keyword hrmItem import const resident param fn pipeline for let
syntax keyword hrmConditional if else
syntax match hrmPlacement /\%(\]\s*\)\@<=\%(split\|by\s\+key\|replicated\)\>/
syntax keyword hrmBoolean true false
syntax keyword hrmType string bool i8 i16 i32 i64 u8 u16 u32 u64 f16 bf16 f32 f64

" Functions of the language, where they are called.
syntax keyword hrmBuiltin contained
    \ min max sum prod any all mean norm logsumexp argmin argmax cumsum dot outer einsum softmax layernorm rmsnorm topk sort
    \ argsort size length fill has when select clamp fma pow atan2 hypot is_nan is_inf is_finite relu leaky_relu elu gelu silu sigmoid
    \ softplus hard_swish reshape transpose expand broadcast concat stack pad iota one_hot gather scatter_add random
    \ uniform normal abs sqrt rsqrt exp log tanh floor ceil trunc round sign popcount sin cos tan asin acos atan sinh
    \ cosh erf exp2 expm1 log2 log10 log1p cbrt
syntax match hrmCall /\<\h\w*\ze\s*(/ contains=hrmBuiltin,hrmType,hrmConditional,hrmItem
syntax match hrmCall /|>\s*\zs\h\w*/ contains=hrmBuiltin,hrmType
syntax match hrmField /\.\@<!\.\h\w*/
syntax match hrmArgument /\<\h\w*\ze\s*:/
syntax match hrmDeclared /\%(\<\%(fn\|pipeline\|resident\|param\|const\)\s\+\)\@<=\h\w*/

syntax match hrmAttribute /@\%(max_batch\|prefer\|materialize\)\>/
syntax match hrmNumber /\<\d[0-9_]*\>/
syntax match hrmNumber /\<0[xX][0-9A-Fa-f_]\+\>/
syntax match hrmNumber /\<0[bB][01_]\+\>/
syntax match hrmFloat /\<\d[0-9_]*\.\d[0-9_]*\%([eE][+-]\?\d\+\)\?\>/
syntax match hrmFloat /\<\d[0-9_]*[eE][+-]\?\d\+\>/
syntax region hrmString start=/"/ skip=/\\./ end=/"/ oneline
syntax match hrmOperator /[-+*\/%@=<>!&|^~]/
syntax match hrmComment /\/\/.*$/ contains=hrmTodo,@Spell
syntax region hrmComment start=/\/\*/ end=/\*\// contains=hrmTodo,@Spell
syntax keyword hrmTodo contained TODO FIXME XXX

highlight default link hrmItem Keyword
highlight default link hrmConditional Conditional
highlight default link hrmPlacement StorageClass
highlight default link hrmBoolean Boolean
highlight default link hrmType Type
highlight default link hrmBuiltin Function
highlight default link hrmDeclared Identifier
highlight default link hrmField Special
highlight default link hrmArgument Label
highlight default link hrmAttribute PreProc
highlight default link hrmNumber Number
highlight default link hrmFloat Float
highlight default link hrmString String
highlight default link hrmOperator Operator
highlight default link hrmComment Comment
highlight default link hrmTodo Todo

let b:current_syntax = 'hrm'

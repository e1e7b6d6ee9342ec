" SPDX-License-Identifier: Apache-2.0
autocmd BufRead,BufNewFile *.hrm set filetype=hrm
autocmd BufRead,BufNewFile *.psy set filetype=psy

-- The init.lua of `make nvim`: a plain Neovim with nothing but tabspec, from this repository.
local here = vim.fs.dirname(vim.fs.abspath(debug.getinfo(1, 'S').source:sub(2)))
vim.opt.runtimepath:prepend(here)

vim.o.termguicolors = true
vim.o.number = true
vim.o.shiftwidth, vim.o.expandtab = 4, true
vim.o.laststatus = 2
vim.o.statusline = " %t%<  Tab: accept  Ctrl-]: refuse  :q! leaves %=%{v:lua.require'tabspec'.status()} "

require('tabspec').setup()

-- at the end of the file, ready to type
vim.api.nvim_create_autocmd('VimEnter', {
  callback = function()
    vim.cmd.normal('G$')
    vim.cmd.startinsert({ bang = true })
  end,
})

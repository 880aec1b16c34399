/* SPDX-License-Identifier: MIT */
/* Functions of an ELF executable with the source line of every instruction (libelf, libdw). */
#include <Zydis/Zydis.h>
#include <elfutils/libdw.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rules/learn/learn.h"

struct lines {
	size_t n;
	struct row {
		u64 addr;
		u32 line, file;
		const char *name;
	} * row;
};

static u32 name_hash(const char *s)
{
	u32 h = 2166136261u;

	for (s = strrchr(s, '/') ? strrchr(s, '/') + 1 : s; *s; s++)
		h = (h ^ (u8)*s) * 16777619u;
	return h;
}

static int cmp_row(const void *a, const void *b)
{
	u64 x = ((const struct row *)a)->addr, y = ((const struct row *)b)->addr;

	return x < y ? -1 : x > y;
}

static void read_lines(Dwarf *dw, struct lines *l)
{
	Dwarf_Off off = 0, next;
	size_t header;

	while (!dwarf_nextcu(dw, off, &next, &header, NULL, NULL, NULL)) {
		Dwarf_Die die;
		Dwarf_Lines *ls;
		size_t n;

		if (dwarf_offdie(dw, off + header, &die) && !dwarf_getsrclines(&die, &ls, &n)) {
			l->row = realloc(l->row, (l->n + n) * sizeof(*l->row));
			for (size_t i = 0; i < n; i++) {
				Dwarf_Line *w = dwarf_onesrcline(ls, i);
				Dwarf_Addr addr;
				int no;
				const char *src = dwarf_linesrc(w, NULL, NULL);

				if (dwarf_lineaddr(w, &addr) || dwarf_lineno(w, &no) || !src)
					continue;
				l->row[l->n++] = (struct row){addr, (u32)no, name_hash(src), src};
			}
		}
		off = next;
	}
	if (l->n)
		qsort(l->row, l->n, sizeof(*l->row), cmp_row);
}

static const struct row *line_at(const struct lines *l, u64 addr)
{
	size_t lo = 0, hi = l->n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (l->row[mid].addr <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo ? &l->row[lo - 1] : NULL;
}

static void cut(struct func *f, const u8 *code, u64 addr, u64 size, bool x86, const struct lines *l)
{
	ZydisDecoder dec;
	int cap = 0;

	ZydisDecoderInit(&dec, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	for (u64 off = 0; off < size;) {
		ZydisDecodedInstruction zi;
		unsigned len = 4;
		const struct row *r;

		if (x86) {
			if (ZYAN_FAILED(ZydisDecoderDecodeInstruction(&dec, NULL, code + off,
								      size - off, &zi)))
				return;
			len = zi.length;
		}
		if (f->n == cap) {
			cap = cap ? cap * 2 : 64;
			f->insn = realloc(f->insn, (size_t)cap * sizeof(*f->insn));
		}
		r = line_at(l, addr + off);
		f->insn[f->n++] = (struct insn_line){.addr = addr + off,
						     .line = r ? r->line : 0,
						     .file = r ? r->file : 0,
						     .len = (u16)len,
						     .bytes = code + off};
		if (r && !f->src[0])
			snprintf(f->src, sizeof(f->src), "%s",
				 strrchr(r->name, '/') ? strrchr(r->name, '/') + 1 : r->name);
		off += len;
	}
}

static void add_symbol(struct object *o, Elf *elf, const GElf_Sym *sym, const char *name, bool x86,
		       const struct lines *l)
{
	Elf_Scn *scn = elf_getscn(elf, sym->st_shndx);
	GElf_Shdr sh;
	struct func *f;

	if (!scn || !gelf_getshdr(scn, &sh) || sh.sh_type != SHT_PROGBITS ||
	    sym->st_value < sh.sh_addr || sym->st_value + sym->st_size > sh.sh_addr + sh.sh_size)
		return;
	o->func = realloc(o->func, (size_t)(o->nfuncs + 1) * sizeof(*o->func));
	f = &o->func[o->nfuncs++];
	memset(f, 0, sizeof(*f));
	snprintf(f->name, sizeof(f->name), "%s", name);
	cut(f, (u8 *)o->image + sh.sh_offset + (sym->st_value - sh.sh_addr), sym->st_value,
	    sym->st_size, x86, l);
}

static void read_symbols(struct object *o, Elf *elf, bool x86, const struct lines *l)
{
	Elf_Scn *scn = NULL;

	while ((scn = elf_nextscn(elf, scn))) {
		GElf_Shdr sh;
		Elf_Data *data;

		if (!gelf_getshdr(scn, &sh) || sh.sh_type != SHT_SYMTAB)
			continue;
		data = elf_getdata(scn, NULL);
		for (size_t i = 0; i < sh.sh_size / sh.sh_entsize; i++) {
			GElf_Sym sym;
			const char *name;

			if (!gelf_getsym(data, (int)i, &sym) ||
			    GELF_ST_TYPE(sym.st_info) != STT_FUNC || !sym.st_size)
				continue;
			name = elf_strptr(elf, sh.sh_link, sym.st_name);
			if (name)
				add_symbol(o, elf, &sym, name, x86, l);
		}
	}
}

int object_load(const char *path, struct object *o)
{
	int fd = open(path, O_RDONLY);
	struct lines l = {0};
	GElf_Ehdr eh;
	Elf *elf;
	Dwarf *dw;
	size_t size = 0;

	memset(o, 0, sizeof(*o));
	elf_version(EV_CURRENT);
	if (fd < 0 || !(elf = elf_begin(fd, ELF_C_READ, NULL)))
		return -1;
	char *raw = elf_rawfile(elf, &size);

	o->image = malloc(size);
	o->size = size;
	if (!raw || !o->image || !gelf_getehdr(elf, &eh))
		return -1;
	memcpy(o->image, raw, size);
	dw = dwarf_begin_elf(elf, DWARF_C_READ, NULL);
	if (dw) {
		read_lines(dw, &l);
		read_symbols(o, elf, eh.e_machine == EM_X86_64, &l);
		dwarf_end(dw);
	}
	free(l.row);
	elf_end(elf);
	close(fd);
	return dw ? 0 : -1;
}

void object_free(struct object *o)
{
	for (int i = 0; i < o->nfuncs; i++)
		free(o->func[i].insn);
	free(o->func);
	free(o->image);
}

/* Types of several kinds, and a function that is inlined into another. */
struct list { struct list *next; };
union either { int i; float f; };
enum color { RED, GREEN = 7 };
struct all { struct list links; unsigned low : 3, high : 5; enum color color; union either either; char names[2][3]; };
static inline __attribute__((always_inline)) int inner(struct all *all)
{
	return all->low * 3;
}
int outer(struct all *all)
{
	if (all->links.next)
		return inner(all) + all->color;
	return 0;
}

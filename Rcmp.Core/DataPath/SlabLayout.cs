using System.Numerics;

namespace Rcmp.DataPath;

/// <summary>How a page is divided among objects of one size. All of it lies in the pool, so that any client can free what another allocated:
/// word 0 magic and size class, word 1 check, word 2 pages (large allocations), then one bit per cell, set if the cell is taken. The cells that hold
/// this header, and bits without a cell, are taken for ever.</summary>
/// <remarks>An allocation above half a page has pages of its own; its first page begins with the same header, and its bytes follow behind one cache line.</remarks>
internal sealed class SlabLayout
{
    public const int HeaderBytes = 64;
    public const int SizeMin = 64;
    public const int CheckOffset = 8;
    public const int PagesOffset = 16;
    public const ulong LargeMagic = 0x4752_414C_504D_4300;

    private const ulong SlabMagic = 0x4241_4C53_504D_4300;
    private const ulong KindMask = ~0xFFUL;
    private const int BitmapInLine = 24;

    private readonly ulong[] _empty;

    public SlabLayout(int pageSize, int size)
    {
        Size = size;
        Cells = pageSize / size;
        var words = (Cells + 63) / 64;
        BitmapOffset = BitmapInLine + words * sizeof(ulong) <= HeaderBytes ? BitmapInLine : HeaderBytes;
        HeaderCells = (Math.Max(HeaderBytes, BitmapOffset + words * sizeof(ulong)) + size - 1) / size;
        _empty = new ulong[words];
        for (var bit = 0; bit < words * 64; bit++)
        {
            if (bit < HeaderCells || bit >= Cells)
                _empty[bit / 64] |= 1UL << (bit % 64);
        }
    }

    public int Size { get; }

    public int Cells { get; }

    /// <summary>Cells that the header takes.</summary>
    public int HeaderCells { get; }

    public int BitmapOffset { get; }

    public int Words => _empty.Length;

    public ulong Magic => SlabMagic | (uint)BitOperations.Log2((uint)Size);

    /// <summary>A bitmap word of a slab without objects.</summary>
    public ulong Empty(int word) => _empty[word];

    /// <summary>The size of the objects, if a header's first word is a slab's; else 0.</summary>
    public static int SizeOf(ulong magic) => (magic & KindMask) == SlabMagic && (magic & 0xFF) < 31 ? 1 << (int)(magic & 0xFF) : 0;

    /// <summary>Bound to the page, so that a copy of a header elsewhere is none.</summary>
    public static ulong CheckOf(PageId page, ulong magic, ulong pages)
    {
        var mixed = (page.Value + 1) * 0x9E3779B97F4A7C15UL ^ magic ^ BitOperations.RotateLeft(pages, 23);
        mixed = (mixed ^ (mixed >> 29)) * 0xBF58476D1CE4E5B9UL;
        return mixed ^ (mixed >> 32);
    }
}

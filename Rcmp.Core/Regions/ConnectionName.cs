using System.Security.Cryptography;

namespace Rcmp.Regions;

/// <summary>The name of a fabric connection as guard slots hold it: the number of its link (low 24 bits of it) above 40 random bits. So whoever reads a slot knows the
/// link without asking the client, and names of different racks do not meet at an owner.</summary>
internal static class ConnectionName
{
    private const int RandomBits = 40;
    private const ulong LinkMask = (1UL << (64 - RandomBits)) - 1;

    public static ulong Make(ulong linkNumber)
    {
        Span<byte> bytes = stackalloc byte[8];
        RandomNumberGenerator.Fill(bytes);
        // Never 0, which means rack-local.
        return (linkNumber << RandomBits) | ((BitConverter.ToUInt64(bytes) >> (64 - RandomBits)) | 1);
    }

    /// <summary>The low 24 bits of the link's number.</summary>
    public static ulong LinkOf(ulong name) => name >> RandomBits;

    /// <summary>Whether two link numbers are alike as far as connection names keep them.</summary>
    public static bool IsSameLink(ulong left, ulong right) => ((left ^ right) & LinkMask) == 0;

    public static bool IsOfLink(ulong name, ulong linkNumber) => name != 0 && name >> RandomBits == (linkNumber & LinkMask);
}

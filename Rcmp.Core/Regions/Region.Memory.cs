using Rcmp.Native;

namespace Rcmp.Regions;

internal sealed unsafe partial class Region
{
    /// <summary>Keeps the whole mapping in memory: it is never swapped out, and its pages are there before their first use.</summary>
    /// <exception cref="RegionResourceException">The limit for locked memory is too low.</exception>
    public void LockMemory()
    {
        var result = SystemCalls.LockMemory((long)_base, Layout.RegionBytes);
        if (result < 0)
            throw new RegionResourceException(
                $"The region {Path} ({Layout.RegionBytes} bytes) cannot be locked in memory: {SystemErrors.Describe(-result)}. Raise the limit (ulimit -l) or set rcmp.region.lock-memory = off.");
    }
}

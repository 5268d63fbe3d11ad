using System.Buffers;

namespace Rcmp;

/// <summary>A page that is held in this client's rack: its bytes, until disposed.</summary>
public abstract class PinnedPage : IMemoryOwner<byte>
{
    /// <summary>The address of the page's first byte.</summary>
    public abstract GAddr Address { get; }

    /// <inheritdoc/>
    public abstract Memory<byte> Memory { get; }

    /// <inheritdoc/>
    public abstract void Dispose();
}

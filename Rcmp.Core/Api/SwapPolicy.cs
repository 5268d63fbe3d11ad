namespace Rcmp;

/// <summary>How the directory decides between Remote Direct IO and Remote Page Swap (<c>rcmp.swap.policy</c>).</summary>
public enum SwapPolicy
{
    /// <summary>Ski rental: a page moves when the time already spent on remote access to it exceeds what a move costs, both measured.</summary>
    Adaptive,

    /// <summary>A page moves when the reader's heat passes <c>rcmp.swap.watermark</c>.</summary>
    Watermark,

    /// <summary>Pages never move.</summary>
    DirectIo,

    /// <summary>A page moves at first touch.</summary>
    Swap,

    /// <summary>Pages never move, and even the rack's own go through the fabric; for comparison.</summary>
    RdmaOnly,
}

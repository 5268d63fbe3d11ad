using System.Globalization;

namespace Rcmp.Protocol;

/// <summary>What a decision is made on.</summary>
/// <param name="Owner">Where the page is.</param>
/// <param name="Reader">Who may get it.</param>
/// <param name="OwnerHeat">Its heat at the owner; null until the owner has reported.</param>
/// <param name="ReaderHeat">Its heat at the reader.</param>
/// <param name="RemoteTimeNs">What the reader has spent on remote access to it since it last moved.</param>
/// <param name="MoveCostNs">What a move costs, measured.</param>
/// <param name="ResidentNs">How long it has been where it is; <see cref="ResidentUnknown"/> if it was there before the shard knew it.</param>
/// <param name="FirstTouch">The reader has asked for it.</param>
internal readonly record struct SwapFigures(
    RackId Owner, RackId Reader, double? OwnerHeat, double ReaderHeat, long RemoteTimeNs, long MoveCostNs, long ResidentNs, bool FirstTouch)
{
    public const long ResidentUnknown = long.MaxValue / 2;
}

/// <summary>Move or stay, and why. A decision is made with every report of heat, and becomes text only when it is asked for.</summary>
/// <param name="Move">To the reader.</param>
/// <param name="Rule">Why.</param>
/// <param name="Figures">What it was decided on.</param>
/// <param name="Mark">If the rule is about one: its value.</param>
internal readonly record struct SwapDecision(bool Move, string Rule, SwapFigures Figures, double? Mark = null)
{
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"{(Move ? $"move to rack {Figures.Reader}" : "stay")}: {Rule}{(Mark is { } mark ? " = " + mark.ToString(CultureInfo.InvariantCulture) : "")} (rack {Figures.Reader} heat {Figures.ReaderHeat:0.#}, rack {Figures.Owner} heat "
        + $"{Figures.OwnerHeat?.ToString("0.#", CultureInfo.InvariantCulture) ?? "not reported"}, remote time {Figures.RemoteTimeNs / 1000.0:0.#} µs, "
        + $"a move costs {Figures.MoveCostNs / 1000.0:0.#} µs, here for {Resident})");

    private string Resident => Figures.ResidentNs == SwapFigures.ResidentUnknown
        ? "longer than the directory shard knows"
        : string.Create(CultureInfo.InvariantCulture, $"{Figures.ResidentNs / 1e6:0.#} ms");
}

/// <summary>Direct IO or swap.</summary>
internal static class SwapPolicies
{
    public static SwapDecision Decide(SwapPolicy policy, in SwapFigures f, DirectoryOptions options) => policy switch
    {
        SwapPolicy.Adaptive => Guarded(f, options) ?? Adaptive(f),
        SwapPolicy.Watermark => Guarded(f, options) ?? Watermark(f, options),
        SwapPolicy.Swap => f.FirstTouch ? new(true, "the policy moves at first touch", f) : new(false, "not touched", f),
        SwapPolicy.RdmaOnly => new(false, "policy rdma-only", f),
        _ => new(false, "policy direct-io", f),
    };

    /// <summary>Whether a move may be decided before long: only then is it worth finding out where the page is, and how hot its owner is. For most pages it never comes to that.</summary>
    public static bool IsNear(SwapPolicy policy, double readerHeat, long remoteTimeNs, long moveCostNs, DirectoryOptions options) => policy switch
    {
        SwapPolicy.Adaptive => remoteTimeNs > moveCostNs / 2,
        SwapPolicy.Watermark => readerHeat > options.Watermark / 2,
        _ => false,
    };

    /// <summary>Ski rental: rent until the rent paid equals the price, then buy; at worst twice the cost of knowing the future.</summary>
    private static SwapDecision Adaptive(in SwapFigures f) => f.RemoteTimeNs > f.MoveCostNs
        ? new(true, "the time spent on remote access exceeds the cost of a move", f)
        : new(false, "a move costs more than the remote access so far", f);

    private static SwapDecision Watermark(in SwapFigures f, DirectoryOptions options) => f.ReaderHeat > options.Watermark
        ? new(true, "its heat passes rcmp.swap.watermark", f, options.Watermark)
        : new(false, "its heat is not above rcmp.swap.watermark", f, options.Watermark);

    /// <summary>Two racks that share a hot page must not play ping-pong.</summary>
    private static SwapDecision? Guarded(in SwapFigures f, DirectoryOptions options)
    {
        if (f.ResidentNs < options.MinResidenceNs) return new(false, "it moved a short while ago (rcmp.swap.min-residence)", f);
        if (f.OwnerHeat is not { } ownerHeat) return new(false, "the owner has not reported its heat yet", f);
        return f.ReaderHeat <= ownerHeat ? new(false, "the owner is as hot", f) : null;
    }
}

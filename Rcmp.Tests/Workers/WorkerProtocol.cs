namespace Rcmp.Tests.Workers;

/// <summary>What a test says to a worker, a line each; every line is answered by <c>ok …</c> or <c>error …</c>.</summary>
internal static class WorkerProtocol
{
    public const string Switch = "--rcmp-worker";

    /// <summary><c>allocate PAGES</c> → the address.</summary>
    public const string Allocate = "allocate";

    /// <summary><c>fill ADDR PAGES SEED</c>: writes pages that depend on the seed.</summary>
    public const string Fill = "fill";

    /// <summary><c>verify ADDR PAGES SEED [SKIP]</c>: compares them, each but for its first SKIP bytes.</summary>
    public const string Verify = "verify";

    /// <summary><c>word ADDR</c> → the 8-byte word.</summary>
    public const string Word = "word";

    /// <summary><c>owner ADDR</c> → the rack.</summary>
    public const string Owner = "owner";

    /// <summary><c>pin ADDR</c>: holds a guard until the process ends.</summary>
    public const string Pin = "pin";

    /// <summary><c>bring ADDR</c>: a pin that is given back at once.</summary>
    public const string Bring = "bring";

    /// <summary><c>add ADDR N</c>: N times fetch-add of 1. <c>swap ADDR N</c>: N increments by compare-and-swap. Both finish before they answer.</summary>
    public const string Add = "add";

    public const string Swap = "swap";

    /// <summary><c>record FILE ADDR WORDS COUNT SEED</c>: COUNT operations of all kinds on the first words of so many pages, written to the file as they begin and end.</summary>
    public const string Record = "record";

    /// <summary><c>start NAME KIND ADDR PAGES</c> begins a loop; kinds: <c>stamp</c> (writes rising sequence numbers over whole pages), <c>watch</c> (reads
    /// pages, and fails when a word's number goes back), <c>write</c> (whole pages, without end), <c>read</c> (reads the first), <c>count</c> (fetch-add on the first word of each page), <c>tally</c> (the same, a thousand times a second at most),
    /// <c>bring</c> (pins the pages), <c>attract</c> (the same, and goes on after a transient error).</summary>
    public const string Start = "start";

    /// <summary><c>stop NAME</c> → how many rounds it made, or its error.</summary>
    public const string Stop = "stop";
}
